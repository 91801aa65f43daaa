import { expect } from 'chai';
import { JobClient, MonitorError, OptionError } from '../../src/index.js';
import { MemoryBroker } from '../../src/testing.js';
import { rejection } from '../contract/rejection.js';

describe('client.status', () => {
  const client = (monitor?: string) =>
    new JobClient({ broker: new MemoryBroker(), events: 'off', ...(monitor !== undefined && { monitor }) });

  it('says what to set where there is no monitor', async () => {
    const error = await rejection(client().status('job-1'));
    expect(error).to.be.instanceOf(MonitorError).with.property('code', 'JR_MONITOR_UNSET');
    expect(error.message).to.include('"job-1"').and.include('JOBRAIL_MONITOR_URL');
  });

  it('says why a monitor cannot be asked', async () => {
    const error = await rejection(client('http://127.0.0.1:1').status('job-1'));
    expect(error).to.be.instanceOf(MonitorError).with.property('code', 'JR_MONITOR_UNREACHABLE');
    expect(error.message).to.include('http://127.0.0.1:1');
  });

  it('refuses what is no URL of a monitor, without its password', () => {
    expect(() => client('127.0.0.1:8090')).to.throw(OptionError, /URL of the monitor/);
    expect(() => client('ftp://ada:secret@host'))
      .to.throw(OptionError)
      .and.not.match(/secret/);
  });
});
