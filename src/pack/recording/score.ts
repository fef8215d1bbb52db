/** A hop that is far from its limit has no score: a healthy fleet has next to none. */
export const leastScore = 0.5;
/**
 * The record of each guest's causes, those in a network namespace of its with the label netns: how many times its threshold each is. A level of an
 * alert that has a measure of its own has a row of its own, with the label level.
 */
export const scoreName = 'uuid_cause:xen_accept_path_cause_score:ratio';
