SELECT to_char(sold_on, 'YYYY-MM') AS month, count(*) AS orders, sum(amount) AS revenue
FROM sales
WHERE sold_on >= $1::date
GROUP BY 1
ORDER BY 1
