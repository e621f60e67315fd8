import { expect, it } from 'vitest';
import { type PackageStep, packageStepOf, packageStepTitle } from './step-titles.ts';

it.each<[PackageStep, string]>([
  ['solve', 'choose packages for @build'],
  ['fetch', 'fetch packages for @build'],
  ['install', 'install packages for @build'],
  ['list', 'check packages for @build'],
])('calls %s %j, and finds it again in a message', (step, title) => {
  expect(packageStepTitle(step, '@build')).toBe(title);
  expect(packageStepOf(`${title} (status 1)`)).toBe(step);
});

it.each(['rpmbuild', 'rpmbuild -bs', 'keeping snapshot 1', 'choose'])('knows no such step in %j', (title) => {
  expect(packageStepOf(title)).toBeNull();
});
