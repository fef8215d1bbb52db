/** The parts of a panel's JSON that are drawn. */
export interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  options: Record<string, never>;
  fieldConfig: {
    defaults: Record<string, unknown> & { custom?: Record<string, unknown>; noValue?: string };
    overrides: { properties: { id: string }[] }[];
  };
  transformations?: { id: string; options: object }[];
  targets?: { refId: string; expr: string; legendFormat?: string; instant?: boolean; format?: string }[];
  /** Only for rows. */
  collapsed?: boolean;
  panels?: Panel[];
}
