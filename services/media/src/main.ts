import 'reflect-metadata';
import { startTelemetry } from 'jobrail/telemetry';
import { readConfig } from './config.js';
import { mediaService } from './media-service.js';

const config = readConfig(process.env);
const telemetry = startTelemetry({ service: 'media' });
try {
  const service = await mediaService(config);
  await service.run();
} finally {
  await telemetry.shutdown();
}
