import { authOf } from './auth.ts';
import type { ConfigFiles } from './config-files.ts';
import { noKerberos } from './kojid-options.ts';
import type { ConfigProblem } from './problem.ts';
import { decodeUtf8 } from './python-text.ts';
import type { AdjutantValues, Config, KojidValues } from './schema.ts';
import type { Notes } from './settings.ts';

type Checked = Pick<Config, 'kojid' | 'adjutant' | 'sources'>;

const LOGIN_REMEDY = 'set cert to a client certificate, or user and password';

/** Checks what no single value tells: whether the files are there and the values fit together. Adds to `notes`. */
export function checkAcross(config: Checked, files: ConfigFiles, notes: Notes): void {
  checkPlaces(config, files, notes);
  checkBuildroots(config, notes);
  checkLogin(config, files, notes);
}

function checkPlaces(config: Checked, files: ConfigFiles, notes: Notes): void {
  const { topdir, workdir } = config.kojid;
  if (topdir !== '' && files.kind(topdir) !== 'directory') {
    const message = `${topdir} is no directory; createrepo tasks fail here until the hub's tree is mounted there`;
    notes.warnings.push(atKey(config, 'kojid.topdir', message));
  }
  const ours = [
    ['kojid.workdir', workdir],
    ['adjutant.state_dir', config.adjutant.state_dir],
  ] as const;
  for (const [name, path] of ours) {
    const kind = files.kind(path);
    if (kind === 'directory' || kind === 'missing') continue;
    const message = `${path} is there and is no directory; name another one or remove it`;
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

function checkLogin(config: Checked, files: ConfigFiles, notes: Notes): void {
  const { kojid } = config;
  const auth = authOf(config, files);
  const { problems, warnings } = notes;
  if (kojid.cert !== null && kojid.cert !== '' && auth.kind !== 'certificate') {
    const instead = auth.kind === 'password' ? 'the password is used instead, as kojid does' : LOGIN_REMEDY;
    const message = `there is no file ${kojid.cert}; ${instead}`;
    warnings.push(atKey(config, 'kojid.cert', message));
  }
  if (auth.kind === 'certificate') checkCertificate(config, auth.certPath, files, notes);
  if (auth.kind === 'password' && auth.password === '') {
    problems.push(atKey(config, 'kojid.user', 'a user without password cannot log in; set password'));
  }
  if (auth.kind === 'kerberos') problems.push(kerberosProblem(config, auth.keytabPath, files));
  if (auth.kind === 'certificate' && (kojid.password ?? '') !== '') {
    warnings.push(atKey(config, 'kojid.password', 'has no effect: the certificate is used'));
  }
  // kojid compares the certificate of whatever it reaches through TLS; a certificate login forces TLS.
  const usesTls = auth.kind === 'certificate' || kojid.server?.startsWith('https:');
  if (!usesTls || kojid.serverca === null || kojid.serverca === '') return;
  if (files.kind(kojid.serverca) === 'missing' || !files.readable(kojid.serverca)) {
    const message = `${kojid.serverca} is missing or cannot be read; correct the path or let the daemon's user read it`;
    problems.push(atKey(config, 'kojid.serverca', message));
  } else if (kojid.no_ssl_verify) {
    warnings.push(atKey(config, 'kojid.no_ssl_verify', 'has no effect: serverca is set'));
  }
}

function checkCertificate(config: Checked, path: string, files: ConfigFiles, notes: Notes): void {
  if (!files.readable(path)) {
    const message = `${path} cannot be read; let the daemon's user read it`;
    notes.problems.push(atKey(config, 'kojid.cert', message));
    return;
  }
  const text = decodeUtf8(files.read(path));
  const parts = ['CERTIFICATE', 'PRIVATE KEY'];
  const absent = parts.filter((part) => typeof text !== 'string' || !text.includes(`${part}-----`));
  if (absent.length === 0) return;
  const message = `${path} has no ${absent.join(' and no ')}; put the certificate and its key into one PEM file`;
  notes.problems.push(atKey(config, 'kojid.cert', message));
}

/** Kerberos is what kojid tries when there is nothing else, so it is reached by those who wanted no login of that kind, too. */
function kerberosProblem(config: Checked, keytab: string, files: ConfigFiles): ConfigProblem {
  if ((config.kojid.password ?? '') !== '') {
    return atKey(config, 'kojid.password', 'a password without user cannot log in; set user');
  }
  const wanted =
    (['kojid.krb_principal', 'kojid.host_principal_format', 'kojid.keytab'] as const).find(
      (name) => config.sources.get(name)?.kind !== 'default',
    ) ?? (files.kind(keytab) === 'file' ? 'kojid.keytab' : undefined);
  if (wanted === undefined) {
    return {
      file: null,
      line: null,
      key: null,
      message: `there is no way to log in to the hub; ${LOGIN_REMEDY}`,
    };
  }
  return atKey(config, wanted, `${noKerberos}; ${LOGIN_REMEDY}`);
}

type OptionName = `kojid.${keyof KojidValues}` | `adjutant.${keyof AdjutantValues}`;

function atKey({ sources }: Checked, name: OptionName, message: string): ConfigProblem {
  const source = sources.get(name);
  const key = name.slice(name.indexOf('.') + 1);
  if (source?.kind === 'file') return { file: source.file, line: source.line, key, message };
  const written =
    source?.kind === 'environment' ? source.name : source?.kind === 'command-line' ? source.flag : key;
  return { file: null, line: null, key: written, message };
}
