/** Differences of one kind that have a reason other than the builder being wrong. */
export interface Allowance {
  /** Short name, unique. */
  readonly id: string;
  /** The fields it is about (`Difference.what`). */
  readonly what: readonly string[];
  /** Only of these files, dependencies or packages. */
  readonly of?: RegExp;
  /** Only where one side has nothing at all: `ours` lacks it, or `theirs` does. */
  readonly missing?: 'ours' | 'theirs';
  /** Only where both sides are the same once what this matches (with flag `g`) is left out. */
  readonly beside?: RegExp;
  readonly reason: string;
}

/**
 * The whole list. Each entry says why a difference tells nothing about the builder; the same text is in
 * docs/compare.md, which a test holds against this file.
 */
export const whitelist: readonly Allowance[] = [
  {
    id: 'build-time',
    what: ['buildtime', 'cookie', 'file.mtime-of-build'],
    reason:
      'the package was built at another time, and so were the files that the build has made (times that it should have kept are not excused); the cookie is made of build host and time',
  },
  {
    id: 'build-host',
    what: ['buildhost'],
    reason: 'the package was built on another host',
  },
  {
    id: 'payload-digest',
    what: ['payloaddigest', 'payloaddigestalt', 'sourcepkgid'],
    reason: 'digests of all file contents with their times, and of the source package with its header',
  },
  {
    id: 'file-content',
    what: ['file.digest', 'file.size', 'size', 'archivesize', 'longsize', 'longarchivesize'],
    reason:
      'compilers and packers put times, host names and random numbers into what they make, on one and the same builder as well; the hub leaves digests and sizes out of its comparison of noarch packages, too (S and 5 of rpmdiff)',
  },
  {
    id: 'build-id',
    what: ['file.path', 'file.linkto', 'file.class', 'provides', 'file.dependencies'],
    beside:
      /(?<=\.build-id\/)[0-9a-f]{2}(\/[0-9a-f]+)?|(?<=BuildID\[\w+\]=)[0-9a-f/]+|(?<=^debuginfo\(build-id\) = )[0-9a-f]+/g,
    reason: 'a build id is a digest of a program, and follows its content',
  },
  {
    id: 'package-manager-log',
    what: ['log'],
    of: /^dnf5?(\.[a-z]+)?\.log$/,
    reason: 'dnf logs what it does, and it does nothing for a buildroot that was prepared before',
  },
];
