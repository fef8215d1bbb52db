import type { HelperLink } from '../host/helper/helper-link.ts';
import type { Families } from '../metrics/families.ts';
import { noLabels } from '../metrics/labels.ts';
import { self } from './exporter-metrics.ts';

/** How the helper fares. */
export class HelperMetrics {
  readonly #link: Pick<HelperLink, 'status'>;

  constructor(link: Pick<HelperLink, 'status'>) {
    this.#link = link;
  }

  addTo(out: Families): void {
    const { status } = this.#link;
    out.add(self.helperUp, noLabels, status ? 1 : 0);
    out.add(self.helperResident, noLabels, status?.residentBytes);
    out.add(self.helperCpu, noLabels, status?.cpuSeconds);
  }
}
