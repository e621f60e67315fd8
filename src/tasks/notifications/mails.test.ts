import { describe, expect, it, vi } from 'vitest';
import { answerAs, labelCases, notificationCases } from '../../../test/support/notification-cases.ts';
import { startSmtpServer } from '../../../test/support/smtp-server.ts';
import { openTaskBench } from '../../../test/support/task-bench.ts';
import { buildNotification, tagNotification } from './index.ts';
import { taskLabel } from './task-label.ts';

/** What kojid's mails do not have. */
const ours = /^(Date|Message-ID|MIME-Version|Content-Type|Content-Transfer-Encoding): .*\r\n/gm;

/** A mail as its reader sees it: without our own fields, encoded words as text. */
function asRead(message: string): string {
  const end = message.indexOf('\r\n\r\n');
  const head = message.slice(0, end + 2).replaceAll(ours, '');
  const words = head.replaceAll(/=\?UTF-8\?B\?([^?]*)\?=/g, (_all, text: string) =>
    Buffer.from(text, 'base64').toString(),
  );
  return words + message.slice(end + 2);
}

describe("notification tasks, beside kojid's own", () => {
  for (const one of notificationCases()) {
    it(`send the same mail: ${one.name}`, async () => {
      vi.stubEnv('TZ', one.timeZone);
      const server = await startSmtpServer();
      const kojid = [`smtphost = ${server.host}`, `from_addr = ${one.fromAddr}`];
      const bench = await openTaskBench({ method: one.method, kojid });
      answerAs(one, bench.session);
      const result =
        one.method === 'buildNotification'
          ? await bench.run(buildNotification, ...one.params)
          : await bench.run(tagNotification, ...one.params);

      expect(result).toBe(one.result);
      expect(server.mails.map(({ text }) => asRead(text))).toEqual(
        one.mail === null ? [] : [one.mail.replaceAll(/\r?\n/g, '\r\n')],
      );
      expect(server.mails.map(({ from, to }) => ({ from, to }))).toEqual(
        one.mail === null ? [] : [{ from: 'buildsys@example.com', to: one.params[0] }],
      );
    });
  }
});

describe('taskLabel', () => {
  it.each(labelCases())("says $label as koji's tools do", ({ label, ...task }) => {
    expect(taskLabel(task)).toBe(label);
  });
});
