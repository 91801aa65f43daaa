# Sidekiq's part of a measurement: see ../foreign.mjs for what it prints.
require "json"
require "sidekiq"
require "sidekiq/cli"
require "sidekiq/launcher"

TASK = JSON.parse(ARGV[0])
MODE, JOBS, PAYLOAD, WARM_UP = TASK.values_at("mode", "jobs", "payload", "warmUp")
CONCURRENCY = TASK.fetch("concurrency", 100)
$stdout.sync = true
Sidekiq.logger.level = Logger::WARN
Sidekiq.options[:concurrency] = CONCURRENCY
Sidekiq.options[:queues] = [TASK["queue"]]
Sidekiq.configure_server { |config| config.redis = { url: TASK["url"] } }

def now
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

COUNT = Mutex.new
TIMES = []
ALL_RAN = Queue.new
$ran = 0

class Noop
  include Sidekiq::Job
  sidekiq_options queue: TASK["queue"]

  def perform(given)
    took = given["at"] && (now - given["at"]) * 1000
    COUNT.synchronize do
      TIMES << took if took
      $ran += 1
      puts "begin" if $ran == WARM_UP
      if $ran == JOBS + (MODE == "latency" ? WARM_UP : 0)
        puts "end"
        ALL_RAN << true
      end
    end
  end
end

def send_bulk(number)
  Noop.perform_bulk(Array.new(number) { [PAYLOAD] }, batch_size: 1_000)
end

def send_one_by_one(number)
  number.times { Noop.perform_async(PAYLOAD) }
end

case MODE
when "fill"
  send_bulk(JOBS)
when /enqueue/
  method = MODE.include?("bulk") ? :send_bulk : :send_one_by_one
  send(method, WARM_UP)
  puts "begin"
  send(method, MODE.include?("bulk") ? JOBS - WARM_UP : JOBS)
  puts "end"
else
  Sidekiq::Launcher.new(Sidekiq.options).run
  if MODE == "latency"
    started = nil
    (WARM_UP + JOBS).times do |i|
      started = now if i == WARM_UP
      pause = i >= WARM_UP ? started + (i - WARM_UP).fdiv(TASK["rate"]) - now : 0
      sleep(pause) if pause > 0
      Noop.perform_async(PAYLOAD.merge("at" => now))
    end
  end
  ALL_RAN.pop
  puts JSON.generate(TIMES.drop(WARM_UP)) if MODE == "latency"
end
puts "done"
sleep 10 # it is looked at, and ended
