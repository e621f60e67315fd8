/** Shell patterns as Python's fnmatch: `*`, `?`, `[...]` and `[!...]`, case matters. */
export function matchesGlob(text: string, pattern: string): boolean {
  const source = pattern.replace(
    /\[(!?)(\]?[^\]]*)\]|[\s\S]/g,
    (token, negated: string | undefined, members: string | undefined) => {
      if (members !== undefined) return `[${negated ? '^' : ''}${members.replace(/[\\^[\]]/g, '\\$&')}]`;
      if (token === '*') return '.*';
      return token === '?' ? '.' : token.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    },
  );
  return new RegExp(`^(?:${source})$`, 's').test(text);
}
