import { AmqpBroker } from '../../src/adapters/amqp/amqp-broker.js';
import { describeBroker } from './broker.js';

const url = process.env['AMQP_URL'];

if (url) {
  describeBroker('RabbitMQ by amqplib', () => new AmqpBroker({ url }));
} else {
  describe('Broker: RabbitMQ by amqplib', () => {
    it('needs a RabbitMQ: set AMQP_URL', function () {
      if (process.env['CI'])
        throw new Error('AMQP_URL is not set; in CI the contract must be held against RabbitMQ.');
      this.skip();
    });
  });
}
