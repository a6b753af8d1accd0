"""The Spark job of the night: reads one day's partition of the raw orders, and writes how many there are.

    spark-submit night_job.py LAKE DAY

Written as people write jobs, and not as Pierhead is.
"""

import sys

from pyspark.sql import SparkSession

LAKE, DAY = sys.argv[1:]

spark = SparkSession.builder.getOrCreate()
print(f"{spark.sparkContext.applicationId} loads the orders of {DAY}")
orders = spark.read.parquet(f"file://{LAKE}/raw/orders/data/dt={DAY}")
by_state = orders.groupBy("state").count()
by_state.coalesce(1).write.mode("overwrite").parquet(f"file://{LAKE}/out/daily_orders/dt={DAY}")
print(f"{orders.count()} orders of {DAY}")
