import { Problem } from '#core/problem.ts'

/** Each follower of events occupies a connection for good; a server has 5,000. */
const maxFollowers = 2_000
/** Per token or session. Without this limit, one read token took all followers. */
const maxFollowersPerCredential = 100
/** Per user, with all their tokens and sessions: a token of scope admin can create more. */
const maxFollowersPerUser = 200

/** A stream or long poll. Without login there is no credential, and all requests have one user: only the total limit applies. */
export interface Follower {
  readonly userId: number
  /** The id of the token or session. */
  readonly credentialId: number | null
}

/** Counts followers in this process. */
export function createFollowerLimits() {
  const counts = new Map<string, number>()
  const countOf = (key: string) => counts.get(key) ?? 0
  let total = 0

  function change(keys: readonly string[], by: 1 | -1): void {
    total += by
    for (const key of keys) {
      const count = countOf(key) + by
      if (count === 0) counts.delete(key)
      else counts.set(key, count)
    }
  }

  return {
    /**
     * @returns a function to call once, when the follower leaves
     * @throws Problem `rate-limited` if the credential or user has too many followers, `unavailable` if the server has
     */
    acquire({ userId, credentialId }: Follower): () => void {
      const credential = `credential ${credentialId}`
      const user = `user ${userId}`
      const keys = credentialId === null ? [] : [credential, user]
      if (keys.length > 0 && countOf(credential) >= maxFollowersPerCredential)
        throw tooMany(`This token or session follows events ${maxFollowersPerCredential} times already`)
      if (keys.length > 0 && countOf(user) >= maxFollowersPerUser)
        throw tooMany(
          `This user follows events ${maxFollowersPerUser} times already, by all tokens and sessions together`,
        )
      if (total >= maxFollowers)
        throw new Problem('unavailable', `${maxFollowers} follow events already.`, { retryAfterMs })
      change(keys, 1)
      return () => change(keys, -1)
    },
  }
}

const retryAfterMs = 30_000
const tooMany = (text: string) =>
  new Problem('rate-limited', `${text}. Close one of these streams or long polls first.`, { retryAfterMs })
