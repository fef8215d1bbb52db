/** A config file (YAML, as JSON) with these settings, by their dotted names: `collector.listeners.source`. */
export const configText = (settings: Readonly<Record<string, unknown>>): string => {
  const root: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(settings)) {
    const keys = name.split('.');
    let node = root;
    for (const key of keys.slice(0, -1)) node = (node[key] ??= {}) as Record<string, unknown>;
    node[keys.at(-1)!] = value;
  }
  return JSON.stringify(root);
};
