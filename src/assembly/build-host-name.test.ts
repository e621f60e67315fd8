import { describe, expect, it } from 'vitest';
import { chooseHostName, fullHostName } from './build-host-name.ts';

describe('chooseHostName', () => {
  it.each([
    ['10.0.0.5        builder1.example.com builder1\n', 'builder1.example.com'],
    ['10.0.0.5        builder1 builder1.example.com b.example.com\n', 'builder1.example.com'],
    ['127.0.0.1       localhost builder1\n', 'localhost'],
    ['::1             localhost localhost.localdomain\n::2 other.example.com\n', 'localhost.localdomain'],
    ['', null],
  ])('reads %j as %s', (line, name) => {
    expect(chooseHostName(line)).toBe(name);
  });
});

describe('fullHostName', () => {
  it('finds some name on any host', async () => {
    expect(await fullHostName()).toMatch(/^\S+$/);
  });
});
