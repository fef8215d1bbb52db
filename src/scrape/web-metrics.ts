import type { Families } from '../metrics/families.ts';
import { LabelSets, noLabels } from '../metrics/labels.ts';
import { metrics } from './exporter-metrics.ts';

/** Reasons to refuse a connection or a request. */
export const refusals = [
  /** A connection beyond --web.max-connections or web.max-connections-per-client. */
  'connections',
  /** An idle connection that was closed in favour of another. */
  'evicted',
  /** A client that did not send its headers or read its response in time. */
  'slow',
  /** A TLS handshake that failed. */
  'handshake',
  'client_certificate',
  'rate_limit',
  /** 401: no credentials, or wrong ones. */
  'credentials',
  /** 429: too many logins wait for a comparison. */
  'password_queue',
  /** 413: a request with a body. */
  'body',
  /** 503: more requests than --web.max-requests. */
  'requests',
] as const;

export type Refusal = (typeof refusals)[number];

/** State of the web config file: result of the last reading, and validity of its certificates. */
export interface ConfigState {
  readonly succeeded: boolean;
  /** Seconds since 1970. */
  readonly lastSuccess: number;
  /** Validity of certificates in seconds since 1970; undefined without such a certificate. */
  readonly certificates: Readonly<
    Record<'server' | 'client_ca', { readonly from: number; readonly to: number } | undefined>
  >;
}

/** Counters of the front door. */
export class WebMetrics {
  /** Open connections. */
  connections = 0;
  /** Undefined without a web config file. */
  config: ConfigState | undefined;
  readonly #refused = new Map<Refusal, number>(refusals.map((reason) => [reason, 0]));
  readonly #labels = new LabelSets(metrics.webRefused.labels);
  readonly #certificateLabels = new LabelSets(metrics.webCertificateExpiry.labels);

  refused(reason: Refusal): void {
    this.#refused.set(reason, this.#refused.get(reason)! + 1);
  }

  addTo(out: Families): void {
    out.add(metrics.webConnections, noLabels, this.connections);
    for (const [reason, count] of this.#refused) out.add(metrics.webRefused, this.#labels.get(reason), count);
    if (this.config === undefined) return;
    out.add(metrics.webConfigSuccess, noLabels, Number(this.config.succeeded));
    out.add(metrics.webConfigLastSuccess, noLabels, this.config.lastSuccess);
    for (const [certificate, validity] of Object.entries(this.config.certificates)) {
      const labels = this.#certificateLabels.get(certificate);
      out.add(metrics.webCertificateStart, labels, validity?.from);
      out.add(metrics.webCertificateExpiry, labels, validity?.to);
    }
  }
}
