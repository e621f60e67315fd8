import { type Auth, authOf } from '../auth.ts';
import type { ConfigFiles } from '../format/file-system.ts';
import { decodeUtf8 } from '../format/python-text.ts';
import type { Notes } from '../format/read-files.ts';
import type { ConfigProblem } from '../problem.ts';
import { atKey, type Checked } from './at-key.ts';
import { keytabProblem } from './keytab.ts';

const LOGIN_REMEDY = 'set cert to a client certificate, or user and password, or keytab to a Kerberos keytab';

/** Checks the way to log in that {@link authOf} has chosen, as far as files tell. Adds to `notes`. */
export function checkLogin(config: Checked, files: ConfigFiles, notes: Notes): void {
  const { kojid } = config;
  const auth = authOf(config, files);
  const { problems, warnings } = notes;
  if (kojid.cert !== null && kojid.cert !== '' && auth.kind !== 'certificate') {
    const instead =
      auth.kind === 'password'
        ? 'the password is used instead, as kojid does'
        : 'Kerberos is used instead, as kojid does';
    warnings.push(atKey(config, 'kojid.cert', `there is no file ${kojid.cert}; ${instead}`));
  }
  if (auth.kind === 'certificate') checkCertificate(config, auth.certPath, files, notes);
  if (auth.kind === 'password' && auth.password === '') {
    problems.push(atKey(config, 'kojid.user', 'a user without password cannot log in; set password'));
  }
  if (auth.kind === 'kerberos') problems.push(...kerberosProblems(config, auth, files));
  if (auth.kind === 'certificate' && (kojid.password ?? '') !== '') {
    warnings.push(atKey(config, 'kojid.password', 'has no effect: the certificate is used'));
  }
  // Kojid compares the certificate of whatever it reaches through TLS; only a login by password does not force TLS.
  const usesTls = auth.kind !== 'password' || kojid.server?.startsWith('https:');
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
function kerberosProblems(
  config: Checked,
  auth: Auth & { readonly kind: 'kerberos' },
  files: ConfigFiles,
): readonly ConfigProblem[] {
  if ((config.kojid.password ?? '') !== '') {
    return [atKey(config, 'kojid.password', 'a password without user cannot log in; set user')];
  }
  const wanted = (['krb_principal', 'host_principal_format', 'keytab', 'ccache'] as const).some(
    (key) => config.sources.get(`kojid.${key}`)?.kind !== 'default',
  );
  if (!wanted && files.kind(auth.keytabPath) === 'missing') {
    const message = `there is no way to log in to the hub; ${LOGIN_REMEDY}`;
    return [{ file: null, line: null, key: null, message }];
  }
  return [...principalProblems(config, auth), ...keytabProblems(config, auth, files)];
}

function principalProblems(
  config: Checked,
  auth: Auth & { readonly kind: 'kerberos' },
): readonly ConfigProblem[] {
  const { principal, principalFormat } = auth;
  if (principal !== null) {
    return /\s/.test(principal)
      ? [atKey(config, 'kojid.krb_principal', `"${principal}" is not a principal; it has white space in it`)]
      : [];
  }
  const rest = principalFormat.replaceAll('%%', '');
  if (/^[^%\s]*%s[^%\s]*$/.test(rest)) return [];
  const message = `"${principalFormat}" must hold %s, once, where the host's full name belongs; or set krb_principal`;
  return [atKey(config, 'kojid.host_principal_format', message)];
}

function keytabProblems(
  config: Checked,
  auth: Auth & { readonly kind: 'kerberos' },
  files: ConfigFiles,
): readonly ConfigProblem[] {
  const { keytabPath, principal } = auth;
  // An empty `keytab =`: what the credential cache holds has to do.
  if (keytabPath === '') return [];
  const problem =
    files.kind(keytabPath) === 'missing'
      ? 'is not there; correct the path, or fetch a keytab from the administrator of Kerberos'
      : files.kind(keytabPath) !== 'file' || !files.readable(keytabPath)
        ? "cannot be read; let the daemon's user read it"
        : keytabProblem(files.read(keytabPath), principal === '' ? null : principal);
  return problem === null ? [] : [atKey(config, 'kojid.keytab', `${keytabPath} ${problem}`)];
}
