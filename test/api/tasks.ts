import type { TaskDraftWire } from '#api/schemas/task.ts'

/** The clock starts here, and moves only when a test advances it. */
export const startAt = '2026-12-01T09:00:00Z'

export const now = '2026-12-01T09:00:00.000Z'

/** A draft with every member that a caller may set. */
export const full = {
  uid: '0193a2f0-8b7e-7c41-9d55-3a1f0f2c9b10',
  key: 'passport',
  title: 'Renew passport',
  description: 'Bring two photos\nand the old one',
  expiry_dt: '2026-12-24T18:00:00+01:00',
  time_zone: 'Europe/Paris',
  reminders: ['P1D', 'PT15M', '2026-12-20T09:00:00Z'],
  tags: ['home', 'papers'],
  priority: 'high',
} as const satisfies TaskDraftWire
