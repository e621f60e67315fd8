import { describe, expect, it, onTestFinished } from 'vitest';
import { openHttpProxy } from '../support/http-proxy.ts';
import { type BuilderOptions, TestBuilder } from './builder.ts';
import { openDevHub } from './dev-hub.ts';
import { describeE2e, srpm } from './surroundings.ts';

/** A builder that has to get all packages, with these options in kojid.conf, and a repo of `td1-build`. */
async function builderWith(
  hub: Awaited<ReturnType<typeof openDevHub>>,
  kojid: NonNullable<BuilderOptions['kojid']>,
): Promise<TestBuilder> {
  const builder = await TestBuilder.start(hub, { kojid, cold: true });
  onTestFinished(() => builder[Symbol.asyncDispose]());
  await builder.ensureRepo('td1-build');
  return builder;
}

describeE2e('a repo', () => {
  describe('is read', () => {
    it("from the hub's tree on this host when there is no topurl", async () => {
      const builder = await builderWith(await openDevHub(), { topurl: '' });

      const build = await builder.build(srpm('hello'));

      expect(build.fault).toBeNull();
      const { tree } = await builder.child(build, 'buildArch');
      expect(await builder.log(tree.id, 'root.log')).toContain('Nothing to do.');
      expect(await builder.leftovers()).toEqual([]);
    });

    it('from whichever topurl has it, by the proxy', async () => {
      const hub = await openDevHub();
      const proxy = await openHttpProxy();
      onTestFinished(() => proxy.close());
      const gone = `${hub.filesUrl}/gone`;
      const topurl = `${gone} ${hub.filesUrl}`;
      const builder = await builderWith(hub, { topurl, yum_proxy: proxy.url });

      const build = await builder.build(srpm('hello'));

      expect(build.fault).toBeNull();
      const asked = (base: string, what: RegExp) =>
        proxy.urls.filter((url) => url.startsWith(`${base}/repos/`) && what.test(url)).length;
      expect(asked(gone, /repomd\.xml$/)).toBeGreaterThan(0);
      expect(asked(hub.filesUrl, /primary\.xml/)).toBeGreaterThan(0);
      const packages = asked(hub.filesUrl, /\.rpm$/);
      expect(packages).toBeGreaterThan(20);
      // A server that does not have a package is asked for it once.
      expect(asked(gone, /\.rpm$/)).toBe(packages);
      expect(await builder.leftovers()).toEqual([]);
    });
  });
});
