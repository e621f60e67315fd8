import type { Proxies } from '../../core/host-proxies.ts';
import { bundleFiles } from '../../core/host-trust.ts';

/** What containers with the host's network need of the host to reach what it reaches. */
export interface HostNetwork {
  /** The authorities that this host trusts, in PEM; null: those of the image have to do. */
  readonly caBundle: string | null;
  /** Environment variables: mock, too, gives its package manager those of its caller (`mockbuild/util.py get_proxy_environment`). */
  readonly proxies: Proxies;
}

/** The bundle's name below `/adjutant/in`. */
export const caBundleFile = 'ca-bundle.crt';

const bundle = `/adjutant/in/${caBundleFile}`;

/**
 * Lines for a script that runs as root in a container of a bootstrap image: what its programs trust is what the host trusts. The
 * files are replaced in the container's own layer, since libcurl heeds no variable.
 */
export const trustLines: readonly string[] = [
  `if [ -s ${bundle} ]; then`,
  `  export SSL_CERT_FILE=${bundle} CURL_CA_BUNDLE=${bundle}`,
  `  for trusted in ${bundleFiles.join(' ')}; do`,
  `    mkdir -p "\${trusted%/*}" && cat ${bundle} >"$trusted" || echo "$trusted cannot be written: the image's authorities count there"`,
  '  done',
  'fi',
];
