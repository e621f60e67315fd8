import type { Clock } from '../../core/clock.ts';
import type { Meter } from '../../core/meter.ts';
import type { HubAnswer, HubRequest, HubTransport } from './transport.ts';

/** The transport, with every request counted and timed: `kind` is `call` or `upload`, `result` `answered` or `failed`. */
export function meteredTransport(transport: HubTransport, meter: Meter, clock: Clock): HubTransport {
  async function post(request: HubRequest, signal?: AbortSignal): Promise<HubAnswer> {
    const kind = request.headers['Content-Type'] === 'text/xml' ? 'call' : 'upload';
    const startedMs = clock.uptime();
    let result = 'failed';
    try {
      const answer = await transport.post(request, signal);
      result = 'answered';
      return answer;
    } finally {
      meter.count('koji_adjutant_hub_requests_total', { kind, result });
      meter.observe('koji_adjutant_hub_request_seconds', { kind }, (clock.uptime() - startedMs) / 1000);
    }
  }
  return { url: transport.url, post, dropConnections: () => transport.dropConnections() };
}
