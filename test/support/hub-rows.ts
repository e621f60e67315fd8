import { repoStates } from '../../src/hub/api/schema.ts';
import type { RpcValue } from '../../src/hub/xmlrpc/codec.ts';

/** Rows as a hub answers them, with what a test does not care about filled in. */
type Row = Readonly<Record<string, RpcValue>>;

export const taskRow = (more: Row = {}): Row => ({
  id: 5,
  state: 1,
  method: 'm',
  arch: 'noarch',
  host_id: 3,
  owner: 21,
  parent: null,
  label: null,
  channel_id: 1,
  priority: 20,
  weight: 1,
  create_ts: 1.5,
  ...more,
});

export const tagRow = (more: Row = {}): Row => ({
  id: 11,
  name: 'f1-build',
  arches: 'x86_64',
  locked: false,
  perm_id: null,
  maven_support: false,
  maven_include_all: false,
  extra: {},
  ...more,
});

export const repoRow = (more: Row = {}): Row => ({
  id: 70,
  state: repoStates.ready,
  create_event: 500,
  create_ts: 1.5,
  dist: false,
  task_id: 4,
  opts: {},
  tag_id: 11,
  tag_name: 'f1-build',
  ...more,
});

export const targetRow = (more: Row = {}): Row => ({
  id: 1,
  name: 'f1',
  build_tag: 11,
  build_tag_name: 'f1-build',
  dest_tag: 10,
  dest_tag_name: 'f1',
  ...more,
});

export const hostRow = (more: Row = {}): Row => ({
  id: 3,
  name: 'builder',
  user_id: 2,
  arches: 'x86_64',
  capacity: 2.5,
  task_load: 0.5,
  enabled: true,
  ready: true,
  ...more,
});

export const packageRow = (more: Row = {}): Row => ({
  package_id: 1,
  package_name: 'hello',
  tag_id: 10,
  tag_name: 'f1',
  blocked: false,
  extra_arches: '',
  ...more,
});

export const buildRow = (more: Row = {}): Row => ({
  id: 90,
  name: 'hello',
  version: '1.0',
  release: '1',
  epoch: null,
  nvr: 'hello-1.0-1',
  state: 1,
  task_id: 5,
  owner_id: 21,
  owner_name: 'dev',
  package_id: 1,
  volume_name: 'DEFAULT',
  ...more,
});

export const externalRow = (more: Row = {}): Row => ({
  external_repo_id: 1,
  external_repo_name: 'ext',
  url: 'http://mirror/ext/$arch/',
  priority: 10,
  merge_mode: 'koji',
  arches: null,
  tag_id: 11,
  tag_name: 'f1-build',
  ...more,
});
