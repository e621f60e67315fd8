import { afterAll, beforeAll, describe } from 'vitest';
import { describeBuildRules } from './hub/build-rules.ts';
import { describeBuildrootRules } from './hub/buildroot-rules.ts';
import { describeExternalRepoRules } from './hub/external-repo-rules.ts';
import { Fixture } from './hub/fixture.ts';
import type { HubUnderTest } from './hub/hub-under-test.ts';
import { describeNotificationRules } from './hub/notification-rules.ts';
import { describeRepoRules } from './hub/repo-rules.ts';
import { describeSchedulerRules } from './hub/scheduler-rules.ts';
import { describeSessionRules } from './hub/session-rules.ts';
import { describeShapeRules } from './hub/shape-rules.ts';
import { describeSubtaskRules } from './hub/subtask-rules.ts';
import { describeTaskRules } from './hub/task-rules.ts';
import { describeUploadRules } from './hub/upload-rules.ts';
import { describeWireRules } from './hub/wire-rules.ts';

/**
 * The rules of a Koji hub that builders live by. Every rule of the development hub has its test here, and every test
 * here passes on a real hub: that is what makes the development hub worth building against.
 */
export function describeHubRules(name: string, openHub: () => Promise<HubUnderTest>): void {
  describe(name, () => {
    let hub: HubUnderTest | undefined;
    let fixture: Fixture | undefined;
    const use = (): Fixture => {
      if (fixture === undefined) throw new Error('the hub under test did not start');
      return fixture;
    };

    beforeAll(async () => {
      hub = await openHub();
      fixture = await Fixture.open(hub);
    });
    afterAll(async () => {
      await fixture?.close();
      await hub?.close();
    }, 60_000);

    describeWireRules(use);
    describeSessionRules(use);
    describeTaskRules(use);
    describeSchedulerRules(use);
    describeSubtaskRules(use);
    describeUploadRules(use);
    describeBuildRules(use);
    describeNotificationRules(use);
    describeBuildrootRules(use);
    describeRepoRules(use);
    describeExternalRepoRules(use);
    describeShapeRules(use);
  });
}
