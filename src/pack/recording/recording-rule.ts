/** A Prometheus recording rule. */
export interface RecordingRule {
  record: string;
  expr: string;
}
