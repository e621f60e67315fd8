import { BuilderError } from '../core/errors.ts';
import { withoutLogins } from '../core/redact.ts';
import type { RepoOrigins } from './repo-origins.ts';

/**
 * Where the parts of a repo lie, by the rules of librepo and libdnf, which dnf follows: metadata may name any place, of this repo
 * or another. What they would not follow is an error and no guess.
 */

/** A repo's metadata names a place that cannot be followed; the message shows it. */
export class BadLocation extends BuilderError {
  constructor(message: string) {
    super('bad-location', 'external', message);
  }
}

/**
 * A path below a URL: one slash between them, and what the URL asks for behind a question mark stays behind the whole
 * (librepo `lr_pathconcat`). Nothing in either is encoded or resolved.
 */
export function joinUrl(base: string, path: string): string {
  const at = base.indexOf('?');
  const [place, query] = at === -1 ? [base, ''] : [base.slice(0, at), base.slice(at)];
  return `${place.replace(/\/+$/, '')}/${path.replace(/^\/+|\/+$/g, '')}${query}`;
}

/**
 * The URL of a package: `location` itself when it is one, else below `base`, which is the package's own or the repo's. A path is
 * no URL yet: whatever is in it, `%` included, is encoded (libdnf `urlEncode(location, "/")`). Throws `BadLocation`, for what lies at no
 * place of the repo, too.
 */
export function packageUrl(base: string, location: string, origins: RepoOrigins): string {
  const url = location.includes('://') ? location : joinUrl(base, encodePath(location));
  return admitted(url, base, location, origins);
}

/** The same of a part of the metadata that `repomd.xml` names, whose path is taken as it is (librepo `yum.c`). */
export function metadataUrl(base: string, location: string, origins: RepoOrigins): string {
  return admitted(location.includes('://') ? location : joinUrl(base, location), base, location, origins);
}

function admitted(made: string, base: string, location: string, origins: RepoOrigins): string {
  const url = checked(made, { base, location });
  const why = origins.whyNotNamed(url);
  if (why === null) return url;
  throw new BadLocation(`the repo's metadata names ${JSON.stringify(withoutLogins(location))}: ${why}`);
}

function checked(url: string, from: { readonly base: string; readonly location: string }): string {
  // file:/path is one as well.
  if (/^(https?:\/\/|file:\/)/i.test(url) && URL.canParse(url)) return new URL(url).href;
  const [location, base] = [from.location, from.base].map((text) => JSON.stringify(withoutLogins(text)));
  throw new BadLocation(
    `the repo's metadata names ${location} below ${base}, which makes no http, https or file URL: have the repo made again`,
  );
}

function encodePath(path: string): string {
  return path
    .split('/')
    .map((part) =>
      encodeURIComponent(part.toWellFormed()).replace(
        /[!'()*]/g,
        (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
      ),
    )
    .join('/');
}
