/**
 * The one table of all routes. `app.ts` registers it, `openapi.ts` describes it; there is no other list.
 */

import type { Route } from './route.ts';
import { auditRoutes } from './routes/audit.ts';
import { batchRoutes } from './routes/batches.ts';
import { blobRoutes } from './routes/blobs.ts';
import { deviceRoutes } from './routes/devices.ts';
import { installRoutes } from './routes/install.ts';
import { logRoutes } from './routes/logs.ts';
import { metricsRoutes } from './routes/metrics.ts';
import { notificationRoutes } from './routes/notifications.ts';
import { outputRoutes } from './routes/outputs.ts';
import { pruneRoutes } from './routes/prune.ts';
import { sessionRoutes } from './routes/session.ts';
import { streamRoutes } from './routes/streams.ts';
import { systemRoutes } from './routes/system.ts';
import { taskRoutes } from './routes/tasks.ts';
import { timelineRoutes } from './routes/timeline.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { updateRoutes } from './routes/updates.ts';
import { workerRoutes } from './routes/workers.ts';

export const routes: readonly Route[] = [
  ...taskRoutes,
  ...streamRoutes,
  ...outputRoutes,
  ...blobRoutes,
  ...batchRoutes,
  ...timelineRoutes,
  ...workerRoutes,
  ...updateRoutes,
  ...logRoutes,
  ...deviceRoutes,
  ...tokenRoutes,
  ...sessionRoutes,
  ...notificationRoutes,
  ...auditRoutes,
  ...pruneRoutes,
  ...systemRoutes,
  ...metricsRoutes,
  ...installRoutes,
];
