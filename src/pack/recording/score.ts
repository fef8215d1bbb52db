/** Lower scores are not recorded, so a healthy fleet has almost none. */
export const leastScore = 0.5;
/**
 * Each guest's causes as multiples of their thresholds. The label netns names the network namespace. A level with its
 * own measure has its own row, with the label level.
 */
export const scoreName = 'uuid_cause:xen_accept_path_cause_score:ratio';
