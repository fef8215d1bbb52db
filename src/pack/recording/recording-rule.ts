/** A recording rule, as Prometheus has it. */
export interface RecordingRule {
  record: string;
  expr: string;
}
