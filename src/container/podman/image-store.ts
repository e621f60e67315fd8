import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import type { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { withDeadline } from '../../core/deadline.ts';
import { hasErrorCode } from '../../core/errors.ts';
import { SingleFlight } from '../../core/single-flight.ts';
import { ContainerError } from '../errors.ts';
import type { ImageInfo, ImageStore } from '../image-store.ts';
import type { ContainerId, PullPolicy } from '../spec.ts';
import { classifyError, classifyPullError } from './api/classify-error.ts';
import { type Engine, libpod } from './api/client.ts';
import { upperDir } from './api/container-state.ts';
import { Created, InspectedImage, ListedImages, PullLine, RemovedImage } from './api/schema.ts';

/** Labels of the images that are kept roots: by the first of them they are found. Their values are `RootName`'s. */
export const rootLabels = {
  key: 'io.koji.adjutant.snapshot',
  area: 'io.koji.adjutant.snapshot.area',
} as const;

/** An image of the engine's own store. */
export interface StoredImage {
  readonly id: string;
  readonly names: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly createdMs: number;
}

/** `path` is absolute. */
export interface EmptyDirectory {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** Images that hold nothing but directories; the tag tells which. */
const emptyImage = 'localhost/koji-adjutant-empty';

/** What Podman says of an image by its id that another process removes while it looks for its names: it takes the id for a name. */
const vanishedImage = /cannot specify 64-byte hexadecimal strings/;

const kojiArchOf: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  '386': 'i686',
  arm: 'armv7hl',
};

/** Images of the engine: which there are, and how to get the others. Safe for concurrent use. */
export class PodmanImages implements ImageStore {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #pullMs: number;
  readonly #pulls = new Map<string, SingleFlight<void>>();
  readonly #empty = new Map<string, SingleFlight<void>>();

  /** `pullMs`: how long one pull may take before the image counts as unreachable. */
  constructor(engine: Engine, clock: Clock, pullMs: number) {
    this.#engine = engine;
    this.#clock = clock;
    this.#pullMs = pullMs;
  }

  /** Names under `localhost/` are never pulled: there is no such registry. */
  async ensure(image: string, policy: PullPolicy, signal: AbortSignal): Promise<ImageInfo> {
    const isLocal = image.startsWith('localhost/');
    const present = policy === 'always' && !isLocal ? null : await this.find(image, signal);
    if (present !== null) return present;
    if (isLocal) {
      throw new ContainerError(
        'image-missing',
        `there is no image ${image} on this host, and names under localhost/ cannot be pulled: build it here first`,
      );
    }
    if (policy === 'never') {
      throw new ContainerError(
        'image-missing',
        `there is no image ${image} on this host, and the pull policy is "never": run "podman pull ${image}" or allow pulling`,
      );
    }
    await shared(this.#pulls, image, signal, (run) => this.#pullInTime(image, run));
    const pulled = await this.find(image, signal);
    if (pulled === null) {
      throw new ContainerError(
        'engine-failed',
        `the pull of ${image} ended without an error and without an image`,
      );
    }
    return pulled;
  }

  /** Name of an image that holds these directories and nothing else, made at its first use. */
  async ensureEmpty(directories: readonly EmptyDirectory[], signal: AbortSignal): Promise<string> {
    const content = JSON.stringify(directories.map(({ path, uid, gid, mode }) => [path, uid, gid, mode]));
    const image = `${emptyImage}:${createHash('sha256').update(content).digest('hex').slice(0, 16)}`;
    await shared(this.#empty, image, signal, (run) => this.#makeEmpty(image, directories, run));
    return image;
  }

  /** Makes an image without a name of a container that is at rest, as the engine does it: by copying. Its id. */
  async commit(
    container: ContainerId,
    labels: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<string> {
    const changes = Object.entries(labels).map(([name, value]) => `LABEL ${name}=${JSON.stringify(value)}`);
    const { Id } = await this.#engine.call(Created, {
      what: `make an image of container ${container}`,
      method: 'POST',
      path: `${libpod}/commit`,
      query: { container, pause: 'false', format: 'oci', changes },
      ok: [200, 201],
      signal,
      timeoutMs: this.#pullMs,
    });
    return Id;
  }

  /** Gives an image a name, and takes that from any other. */
  async name(id: string, image: string, signal: AbortSignal): Promise<void> {
    await this.#engine.text({
      what: `name image ${image}`,
      method: 'POST',
      path: `${libpod}/images/${id}/tag`,
      query: splitName(image),
      ok: [201],
      repeatable: true,
      signal,
    });
  }

  /** The directory with the topmost layer of an image. */
  async layerOf(image: string, signal: AbortSignal): Promise<string> {
    const { GraphDriver } = await this.#inspect(image, signal);
    return upperDir(GraphDriver, `image ${image}`);
  }

  /** Images on this host that carry the label, whatever its value, without those of additional stores: other engines have made them, and they cannot be removed. */
  async list(label: string, signal: AbortSignal): Promise<readonly StoredImage[]> {
    const found = await this.#listed(label, signal);
    const own = (found ?? []).filter(({ ReadOnly }) => ReadOnly !== true);
    return own.map(({ Id, Names, Labels, Created }) => ({
      id: Id,
      names: Names ?? [],
      labels: Labels ?? {},
      createdMs: Created * 1000,
    }));
  }

  /** Removes an image by name or id; fine when it is gone already. False when containers or other images need it. */
  async remove(image: string): Promise<boolean> {
    const request = {
      what: `remove image ${image}`,
      method: 'DELETE',
      path: `${libpod}/images/${encodeURIComponent(image)}`,
      ok: [200, 404, 409],
      repeatable: true,
    } as const;
    try {
      const answer = RemovedImage.parse(JSON.parse(await this.#engine.text(request)));
      return !/in use|dependent child/i.test(answer.cause ?? answer.message ?? '');
    } catch (error) {
      if (error instanceof ContainerError && vanishedImage.test(error.message)) return true;
      throw error;
    }
  }

  /** Podman looks at one image after the other, and fails when one of them was removed meanwhile. */
  async #listed(label: string, signal: AbortSignal, triesLeft = 4): Promise<z.infer<typeof ListedImages>> {
    try {
      return await this.#engine.call(ListedImages, {
        what: `list the images with label ${label}`,
        method: 'GET',
        path: `${libpod}/images/json`,
        query: { filters: JSON.stringify({ label: [label] }) },
        ok: [200],
        repeatable: true,
        signal,
      });
    } catch (error) {
      const isRace = error instanceof ContainerError && /image not known/.test(error.message);
      if (!isRace || triesLeft === 0) throw error;
      return this.#listed(label, signal, triesLeft - 1);
    }
  }

  /** An image that is there, by name; null when it is not. */
  async find(image: string, signal: AbortSignal): Promise<ImageInfo | null> {
    try {
      const found = await this.#inspect(image, signal);
      const arch = kojiArchOf[found.Architecture] ?? found.Architecture;
      return { id: found.Id, digest: found.Digest || `sha256:${found.Id}`, arch };
    } catch (error) {
      if (error instanceof ContainerError && error.code === 'image-missing') return null;
      throw error;
    }
  }

  async #inspect(image: string, signal: AbortSignal): Promise<z.infer<typeof InspectedImage>> {
    return this.#engine.call(InspectedImage, {
      what: `look for image ${image}`,
      method: 'GET',
      path: `${libpod}/images/${encodeURIComponent(image)}/json`,
      ok: [200],
      repeatable: true,
      signal,
    });
  }

  async #pullInTime(image: string, signal: AbortSignal): Promise<void> {
    try {
      await withDeadline(this.#clock, this.#pullMs, `the pull of ${image}`, (late) =>
        this.#pull(image, AbortSignal.any([signal, late])),
      );
    } catch (error) {
      if (!hasErrorCode(error, 'timeout')) throw error;
      throw new ContainerError('image-unreachable', `${error.message} (pull in container_timeouts)`, {
        cause: error,
      });
    }
  }

  async #pull(image: string, signal: AbortSignal): Promise<void> {
    const what = `pull image ${image}`;
    const progress = await this.#engine.stream({
      what,
      method: 'POST',
      path: `${libpod}/images/pull`,
      query: { reference: image, policy: 'always' },
      ok: [200],
      signal,
    });
    try {
      // The status was sent before anything was tried: only the lines tell, and every one of them counts.
      for await (const line of linesOf(progress)) {
        if (line.trim() === '') continue;
        const { error } = PullLine.parse(JSON.parse(line));
        if (error !== undefined) throw pullError(image, error);
      }
      signal.throwIfAborted();
    } catch (error) {
      signal.throwIfAborted();
      throw classifyError(error, what);
    } finally {
      progress.destroy();
    }
  }

  async #makeEmpty(
    image: string,
    directories: readonly EmptyDirectory[],
    signal: AbortSignal,
  ): Promise<void> {
    if ((await this.find(image, signal)) !== null) return;
    const tar = pack();
    for (const { path, ...owner } of directories)
      tar.entry({ name: path.slice(1), type: 'directory', ...owner });
    tar.finalize();
    await this.#engine.text({
      what: 'make an empty image',
      method: 'POST',
      path: `${libpod}/images/import`,
      query: { reference: image },
      file: await buffer(tar),
      ok: [200],
      signal,
    });
  }
}

/** Name and tag of an image as the engine wants them; a tag is always there. */
function splitName(image: string): { readonly repo: string; readonly tag: string } {
  const colon = image.lastIndexOf(':');
  return { repo: image.slice(0, colon), tag: image.slice(colon + 1) };
}

/** Joins the run for this key, or starts it. */
async function shared(
  calls: Map<string, SingleFlight<void>>,
  key: string,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const call = calls.get(key) ?? new SingleFlight(run);
  calls.set(key, call);
  try {
    await call.join(signal);
  } finally {
    if (calls.get(key) === call && !call.isRunning) calls.delete(key);
  }
}

/** node:readline would end without an error when the stream breaks off. */
async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string, void> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  yield rest;
}

const advice: Readonly<Record<ReturnType<typeof classifyPullError>, string>> = {
  'image-missing': 'check its name and tag',
  'image-denied':
    'the registry wants a login, or this account must not read it: "podman login", or REGISTRY_AUTH_FILE',
  'image-unreachable': 'the registry cannot be reached or does not work at the moment',
};

function pullError(image: string, text: string): ContainerError {
  const code = classifyPullError(text);
  return new ContainerError(code, `cannot pull image ${image}: ${advice[code]} (${text.trim()})`);
}
