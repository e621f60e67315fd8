import { describe, expect, it } from 'vitest';
import { ContainerError } from '../../errors.ts';
import { classifyError, classifyPullError } from './classify-error.ts';

function refusal(statusCode: number, text: string): Error {
  return Object.assign(new Error(`(HTTP code ${statusCode}) unexpected - ${text} `), { statusCode });
}

function errno(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe('classifyError', () => {
  it.each(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EACCES', 'ERR_STREAM_PREMATURE_CLOSE'])(
    'takes %s of a socket for an engine that is away',
    (code) => {
      expect(classifyError(errno(code), 'list containers')).toMatchObject({ code: 'runtime-down' });
    },
  );

  it.each([
    [404, 'no container with name or ID "x" found: no such container', 'no-such-container'],
    [404, 'failed to find image x: x: image not known', 'image-missing'],
    [500, 'localhost/nope:1: image not known', 'image-missing'],
    [
      500,
      'creating container storage: the container name "a" is already in use by 88: that name is already in use',
      'bad-spec',
    ],
    [500, 'runc: something else', 'engine-failed'],
  ])('reads %i %s as %3$s', (status, text, code) => {
    expect(classifyError(refusal(status, text), 'do it')).toMatchObject({
      code,
      message: `cannot do it: ${text}`,
    });
  });

  it('lets the caller say what another 404 means', () => {
    expect(classifyError(refusal(404, 'stat: no such file'), 'copy', 'no-such-path')).toMatchObject({
      code: 'no-such-path',
    });
    expect(classifyError(refusal(404, 'no such container'), 'copy', 'no-such-path')).toMatchObject({
      code: 'no-such-container',
    });
    expect(classifyError(refusal(500, 'broken'), 'copy', 'no-such-path')).toMatchObject({
      code: 'engine-failed',
    });
  });

  it('leaves an error that is classified already', () => {
    const error = new ContainerError('bad-spec', 'no');

    expect(classifyError(error, 'x')).toBe(error);
  });
});

describe('classifyPullError', () => {
  it.each([
    ['reading manifest 1 in reg.example.com/x: manifest unknown: manifest unknown', 'image-missing'],
    ['reading manifest 1 in quay.io/x: name unknown: repository not found', 'image-missing'],
    ['Invalid image name "UPPER/x", expected colon-separated transport:reference', 'image-missing'],
    [
      'short-name "x" did not resolve to an alias and no unqualified-search registries are defined',
      'image-missing',
    ],
    ['unauthorized: access to the requested resource is not authorized', 'image-denied'],
    ['requested access to the resource is denied', 'image-denied'],
    ['invalid username/password: unauthorized: authentication required', 'image-denied'],
    ['dial tcp 127.0.0.1:443: connect: connection refused', 'image-unreachable'],
    ['dial tcp: lookup reg.example.com on 192.0.2.1:53: no such host', 'image-unreachable'],
    ['toomanyrequests: You have reached your pull rate limit', 'image-unreachable'],
    [
      'Get "https://reg/v2/": tls: failed to verify certificate: x509: unknown authority',
      'image-unreachable',
    ],
    ['received unexpected HTTP status: 503 Service Unavailable', 'image-unreachable'],
    ['something nobody has seen', 'image-unreachable'],
  ])('reads %s as %s', (text, code) => {
    expect(classifyPullError(text)).toBe(code);
  });
});
