import { expect, it } from 'vitest';
import { parseWritableLayers } from './disk-use.ts';

it('finds each layer that is written to once, and none in what is mounted from elsewhere', () => {
  const mountInfo = `500 400 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/store/1/diff,workdir=/store/1/work
501 500 0:51 / /proc rw,nosuid - proc proc rw
502 500 0:52 /builddir /builddir rw,nosuid,nodev - overlay overlay rw,lowerdir=/l/C,upperdir=/store/with\\040blank/diff,workdir=/store/2/work
503 500 0:52 /tmp /tmp rw,nosuid,nodev - overlay overlay rw,lowerdir=/l/C,upperdir=/store/with\\040blank/diff,workdir=/store/2/work
504 500 8:1 /srv/in /adjutant/in ro - ext4 /dev/vda rw
505 500 0:53 / /image ro - overlay overlay ro,lowerdir=/l/D:/l/E
`;

  expect(parseWritableLayers(mountInfo)).toEqual(['/store/1/diff', '/store/with blank/diff']);
});
