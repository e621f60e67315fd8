/** What stands in place of a secret. */
export const hidden = '[secret]';

/** A text without the logins of URLs in it, which may carry a user and a password. */
export function withoutLogins(text: string): string {
  return text.replaceAll(/:\/\/[^\s/'"]+@/g, `://${hidden}@`);
}
