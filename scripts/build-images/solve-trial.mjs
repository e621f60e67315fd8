// solve-trial.mjs DIRECTORY - a repository of one package that is in a group, and the script and files with which a
// build asks a bootstrap image for that group: DIRECTORY/{repo,in}. Needs the built checkout.

import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { renderPackageManagerConfig } from '../../dist/buildroot/plan/dnf-conf.js';
import { eligibleManagers } from '../../dist/buildroot/solve/package-managers.js';
import { solveScript } from '../../dist/buildroot/solve/solve-script.js';

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error('solve-trial.mjs: name a directory');

const digest = (text) => createHash('sha256').update(text).digest('hex');

const metadata = {
  primary: `<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="1">
<package type="rpm"><name>trial</name><arch>noarch</arch><version epoch="0" ver="1" rel="1"/>
<checksum type="sha256" pkgid="YES">${digest('trial')}</checksum><summary>Trial</summary><description>Trial</description>
<packager/><url/><time file="1" build="1"/><size package="1" installed="1" archive="1"/><location href="trial.rpm"/>
<format><rpm:license>MIT</rpm:license><rpm:provides><rpm:entry name="trial" flags="EQ" epoch="0" ver="1" rel="1"/>
</rpm:provides></format></package></metadata>
`,
  filelists: `<?xml version="1.0" encoding="UTF-8"?>
<filelists xmlns="http://linux.duke.edu/metadata/filelists" packages="1"><package pkgid="${digest('trial')}" name="trial"
 arch="noarch"><version epoch="0" ver="1" rel="1"/></package></filelists>
`,
  group: `<?xml version="1.0" encoding="UTF-8"?>
<comps><group><id>build</id><name>build</name><packagelist><packagereq type="mandatory">trial</packagereq></packagelist>
</group></comps>
`,
};
const parts = Object.entries(metadata).map(
  ([type, text]) => `<data type="${type}"><checksum type="sha256">${digest(text)}</checksum>
<location href="repodata/${type}.xml"/><timestamp>1</timestamp><size>${Buffer.byteLength(text)}</size></data>`,
);
const site = { proxy: null };
const settings = { packageManager: null, releaseVersion: null, personality: null };
const files = {
  'repo/repodata/repomd.xml': `<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo">${parts.join('\n')}</repomd>
`,
  ...Object.fromEntries(Object.entries(metadata).map(([type, text]) => [`repo/repodata/${type}.xml`, text])),
  'in/dnf.conf': renderPackageManagerConfig([{ id: 'build', urls: ['file:///adjutant/repo'] }], site, {}),
  'in/solve.sh': solveScript({ kind: 'group', group: 'build' }, settings),
};
for (const manager of eligibleManagers(null))
  for (const [name, text] of Object.entries(manager.files)) files[`in/${name}`] = text;
for (const [name, text] of Object.entries(files)) {
  const path = join(directory, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
