/**
 * Whether Python takes a JSON value for true, as kojid asks of tag extras: zero, nothing, and whatever is
 * empty are false; any other text is true, `"0"` and `"False"` included.
 */
export function isPythonTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}
