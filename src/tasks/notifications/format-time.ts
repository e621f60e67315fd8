/** Regions whose English has short names for their own time zones, where that of others writes `GMT+1`. */
const locales = ['en-US', 'en-GB', 'en-IN', 'en-AU', 'en-NZ', 'en-ZA'];

/**
 * `Sat, 07 Sep 2002 00:00:01 GMT` in a time zone, from seconds since the epoch; empty for null
 * (`koji/__init__.py formatTimeLong`). A zone without a short name in English is written as `GMT+9`.
 */
export function formatTimeLong(seconds: number | null, timeZone: string): string {
  if (seconds === null) return '';
  const ms = Math.floor(seconds) * 1000;
  const { weekday, day, month, year, hour, minute, second } = partsOf(ms, timeZone, 'en-US');
  return `${weekday}, ${day} ${month} ${year} ${hour}:${minute}:${second} ${zoneName(ms, timeZone)}`;
}

/** `Tue Nov 14 2023` of `2023-11-14 12:00:00`: the date as changelogs have it. */
export function formatChangelogDate(text: string): string {
  const { weekday, day, month, year } = partsOf(Date.parse(`${text.slice(0, 10)}T00:00:00Z`), 'UTC', 'en-US');
  return `${weekday} ${month} ${day} ${year}`;
}

function zoneName(ms: number, timeZone: string): string {
  const names = locales.map((locale) => partsOf(ms, timeZone, locale).timeZoneName ?? '');
  return names.find((name) => !/\d/.test(name)) ?? names[0] ?? '';
}

function partsOf(
  ms: number,
  timeZone: string,
  locale: string,
): Partial<Record<Intl.DateTimeFormatPartTypes, string>> {
  const format = new Intl.DateTimeFormat(locale, {
    timeZone,
    weekday: 'short',
    day: '2-digit',
    month: 'short',
    year: 'numeric',
    hourCycle: 'h23',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
  });
  return Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]));
}
