/**
 * Every number of the machine of Multicast DNS: those the RFC gives, with its section, and those which keep it bounded.
 * Durations are milliseconds unless the name says otherwise.
 */

/** RFC 6762. */
export const rfc = {
  port: 5353,
  /** Section 17: largest message, headers of IP and UDP not counted for. */
  messageBytesMax: 9000,
  /** Section 8.1: chance before the first probe; probes, and the time after each. */
  probeDelayMs: 250,
  probes: 3,
  probeIntervalMs: 250,
  /** Section 8.2: how long whoever lost a tie waits. */
  tieLostMs: 1000,
  /** Section 8.1: that many conflicts within this time make it wait before each further name. */
  conflictsMax: 15,
  conflictsWithinMs: 10_000,
  conflictsPauseMs: 5000,
  /** Section 8.3: gaps between announcements, each at least twice the one before. */
  announcementGapsMs: [1000, 2000],
  /** Section 6: delay of an answer that others may give too, and while known answers are still to come (7.2). */
  answerDelayMs: { least: 20, most: 120 },
  truncatedDelayMs: { least: 400, most: 500 },
  /** Section 6: how often one record may be sent to the group of a link, and to defend a name. */
  repeatMs: 1000,
  defenceMs: 250,
  /** Section 5.2: the first question, and the time between questions, doubled each time. */
  questionDelayMs: { least: 20, most: 120 },
  questionIntervalMs: 1000,
  questionIntervalMaxMs: 3_600_000,
  /** Section 5.2: shares of a lifetime at which a record is asked for again, each up to 2 % later. */
  refreshAt: [0.8, 0.85, 0.9, 0.95],
  refreshChance: 0.02,
  /** Section 10: lifetimes of records with a host's name in them, and of the others. */
  hostTtlSeconds: 120,
  otherTtlSeconds: 4500,
  /** Section 6.7. */
  legacyTtlSeconds: 10,
  /** Sections 10.1 and 10.2: what is said to be gone, or replaced, is kept so long. */
  graceMs: 1000,
} as const;

/** Bounds against floods and garbage. A caller may narrow those of the cache and of the rates. */
export interface MdnsLimits {
  /** Records remembered, and of them those of one sender on one link. */
  readonly cacheRecordsMax: number;
  readonly sourceRecordsMax: number;
  /** Packets read of one sender: per second, and at once. */
  readonly sourcePacketsPerSecond: number;
  readonly sourcePacketsBurst: number;
  /** Answers to one host alone: per second and host, and at once. */
  readonly unicastPerSecond: number;
  readonly unicastBurst: number;
}

/** Room for a few hundred services; a sender is heard two hundred times a second, ten times what a busy host says. */
export const usualLimits: MdnsLimits = {
  cacheRecordsMax: 2048,
  sourceRecordsMax: 128,
  sourcePacketsPerSecond: 200,
  sourcePacketsBurst: 400,
  unicastPerSecond: 20,
  unicastBurst: 40,
};

/** Fits one Ethernet frame over IPv6 with room to spare: nothing of ours is ever fragmented. */
export const packetBytes = 1440;
/** Questions, and records of all sections together, in a packet that is read. */
export const packetQuestionsMax = 64;
export const packetRecordsMax = 384;
/** Longest life that is believed, in seconds: a day. */
export const ttlSecondsMax = 86_400;
/** Addresses of one interface and family that are announced. */
export const addressesMax = 16;
/** Questions waiting on one link. */
export const questionsMax = 256;
/** Hosts told apart that wait for one answer; beyond, none of them can call it off. */
export const askersMax = 8;
/** Departures and news not taken yet. */
export const outboxMax = 4096;
/** Senders whose rate is remembered. */
export const sourcesMax = 1024;
/** Another's question counts as ours when ours was to follow within this time (RFC 6762 section 7.3). */
export const duplicateQuestionMs = 120;
/** Longest pause between questions that complete a service whose answers do not come. */
export const resolveIntervalMaxMs = 60_000;
