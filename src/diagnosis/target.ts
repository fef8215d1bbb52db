/** An exporter that is read. */
export interface Target {
  /** Its address, as the label instance. */
  instance: string;
  /** Whether it may speak for domains and vifs: the exporter of a Dom0 or driver domain. */
  isHost: boolean;
}
