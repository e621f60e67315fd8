import type { ConfigFiles } from '../format/file-system.ts';
import type { Notes } from '../format/read-files.ts';
import { atKey, type Checked } from './at-key.ts';
import { checkLogin } from './login.ts';

/** Checks what no single value tells: whether the files are there and the values fit together. Adds to `notes`. */
export function checkAcross(config: Checked, files: ConfigFiles, notes: Notes): void {
  checkPlaces(config, files, notes);
  checkBuildroots(config, notes);
  checkLogin(config, files, notes);
}

function checkPlaces(config: Checked, files: ConfigFiles, notes: Notes): void {
  const { topdir, workdir } = config.kojid;
  if (topdir !== '' && files.kind(topdir) !== 'directory') {
    const message = `${topdir} is not a directory; createrepo tasks fail here until the hub's tree is mounted there`;
    notes.warnings.push(atKey(config, 'kojid.topdir', message));
  }
  const ours = [
    ['kojid.workdir', workdir],
    ['adjutant.state_dir', config.adjutant.state_dir],
  ] as const;
  for (const [name, path] of ours) {
    const kind = files.kind(path);
    if (kind === 'directory' || kind === 'missing') continue;
    const message = `${path} is there and is not a directory; name another one or remove it`;
    notes.problems.push(atKey(config, name, message));
  }
}

/** Ignored, it would build something else than was asked for. */
function checkBuildroots(config: Checked, notes: Notes): void {
  if (config.adjutant.buildroot_enabled) return;
  const message =
    "rpmbuild in the image itself, without a buildroot of the tag's packages, is not there; remove the line, or set it to yes";
  notes.problems.push(atKey(config, 'adjutant.buildroot_enabled', message));
}
