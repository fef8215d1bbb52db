/**
 * The collectors that `?collect[]=` or `?exclude[]=` select, with node_exporter's syntax. Undefined if neither is
 * given; an error message if both are given or a name is not an enabled collector.
 */
export const collectorNames = (url: string, enabled: readonly string[]): Set<string> | undefined | string => {
  const query = new URLSearchParams(url.split('?').slice(1).join('?'));
  const collect = query.getAll('collect[]');
  const exclude = query.getAll('exclude[]');
  if (collect.length > 0 && exclude.length > 0) return 'expected collect[] or exclude[], found both';
  const unknown = [...collect, ...exclude].find((name) => !enabled.includes(name));
  if (unknown !== undefined) {
    return `expected names of collectors (${enabled.join(', ')}), found ${JSON.stringify(unknown.slice(0, 60))}`;
  }
  if (collect.length > 0) return new Set(enabled.filter((name) => collect.includes(name)));
  if (exclude.length > 0) return new Set(enabled.filter((name) => !exclude.includes(name)));
  return undefined;
};
