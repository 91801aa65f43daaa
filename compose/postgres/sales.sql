-- Made up, so that there is something to report on: two years of orders.
CREATE TABLE sales (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sold_on date NOT NULL,
  amount numeric(10, 2) NOT NULL
);

INSERT INTO sales (sold_on, amount)
SELECT date '2025-01-01' + (n % 730), 5 + (n * 7919 % 20000) / 100.0
FROM generate_series(1, 20000) AS n;
