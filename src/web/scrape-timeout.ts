// Where nobody says: Prometheus's default scrape_timeout.
const defaultSeconds = 10;
const leastSeconds = 0.05;

/** The time that a scrape may take: what Prometheus says it will wait, less an offset for the way there and back. */
export const scrapeTimeout = (header: string | undefined, offsetSeconds: number): number => {
  const announced = Number(header);
  const seconds = header !== undefined && announced > 0 ? announced : defaultSeconds;
  return Math.max(leastSeconds, Math.min(seconds, 3600) - offsetSeconds);
};
