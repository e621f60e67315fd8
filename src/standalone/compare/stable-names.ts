/** Build ids: in the paths of their links, in the provides of debuginfo packages. */
const buildIdPath = /(\/\.build-id\/)[0-9a-f]{2}(\/[0-9a-f]{6,}|(?=$))/;
const buildIdProvide = /^(debuginfo\(build-id\) = )[0-9a-f]{6,}/;

/** A path without its build id, so that links of the same program can be told to belong together. */
export function stablePath(path: string): string {
  return path.replace(buildIdPath, (_, start: string, rest: string) => `${start}*${rest === '' ? '' : '/*'}`);
}

/** A dependency without its build id. */
export function stableDependency(text: string): string {
  return text.replace(buildIdProvide, '$1*');
}
