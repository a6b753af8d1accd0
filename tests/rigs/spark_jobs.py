"""Jobs that end as jobs do: one function an ending. Run by spark-submit, on a Python that has nothing but Spark.

    spark-submit spark_jobs.py NAME [FOLDER]

Written as people write jobs, and not as Pierhead is: tracebacks in the recordings quote these lines.
"""

import os
import sys
import time
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StringType, StructField, StructType

NAME, *REST = sys.argv[1:]
FOLDER = REST[0] if REST else ""


def session():
    return SparkSession.builder.getOrCreate()


def success(spark):
    frame = spark.range(200_000).withColumn("day", F.col("id") % 7)
    print(frame.groupBy("day").count().orderBy("day").collect())


def user_code(spark):
    prices = {"EUR": 1.1}
    rates = [row.currency for row in spark.createDataFrame([("EUR",), ("GBP",)], "currency string").collect()]
    print([prices[currency] for currency in rates])


def udf_raises(spark):
    def parse(text):
        if text == "1999":
            raise ValueError(f"no amount in {text!r}")
        return int(text)

    amounts = spark.range(2000).select(F.udf(parse, LongType())(F.col("id").cast(StringType())).alias("amount"))
    print(amounts.agg(F.sum("amount")).collect())


def executor_memory(spark):
    rows = spark.range(0, 60_000_000, 1, 4).select(F.concat(F.lit("order-number-"), F.col("id")).alias("name"))
    print(len(rows.agg(F.collect_list("name").alias("names")).select(F.size("names")).collect()))


def driver_memory(spark):
    rows = spark.range(0, 30_000_000, 1, 4).select(F.concat(F.lit("order-number-"), F.col("id")).alias("name"))
    print(rows._jdf.collectAsList().size())


def driver_results(spark):
    rows = spark.range(0, 2_000_000, 1, 4).select(F.concat(F.lit("order-number-"), F.col("id")).alias("name"))
    print(len(rows.collect()))


def missing_path(spark):
    print(spark.read.parquet(f"file://{FOLDER}/orders/dt=2026-11-20").count())


def missing_text(spark):
    print(spark.sparkContext.textFile(f"file://{FOLDER}/clicks/2026-11-20/*.log").count())


def missing_file(spark):
    place = f"file://{FOLDER}/vanishing"
    spark.range(1000).repartition(4).write.parquet(place)
    frame = spark.read.parquet(place)
    frame.schema
    for part in Path(FOLDER, "vanishing").glob("part-*"):
        part.unlink()
    print(frame.agg(F.sum("id")).collect())


def missing_table(spark):
    print(spark.sql("select count(*) from sales.daily_orders").collect())


def schema_column(spark):
    orders = spark.createDataFrame([(1, 9.5)], "order_id long, amount double")
    print(orders.groupBy("customer_id").agg(F.sum("amount")).collect())


def schema_parquet(spark):
    place = f"file://{FOLDER}/mixed"
    spark.range(100).select(F.col("id").cast("string").alias("amount")).write.parquet(place)
    wanted = StructType([StructField("amount", LongType())])
    print(spark.read.schema(wanted).parquet(place).agg(F.sum("amount")).collect())


def schema_cast(spark):
    texts = spark.createDataFrame([("12",), ("n/a",)], "amount string")
    print(texts.select(F.col("amount").cast("int")).agg(F.sum("amount")).collect())


def skew(spark):
    def slow(count):
        time.sleep(count / 60_000)
        return count

    hot = F.when(F.col("id") % 10 < 9, F.lit(1)).otherwise(F.col("id") % 1000)
    big = spark.range(0, 1_500_000, 1, 4).select(hot.alias("key"), F.col("id"))
    small = spark.range(1000).select(F.col("id").alias("key"), F.lit(1).alias("one"))
    joined = big.join(small, "key").rdd.mapPartitions(lambda rows: [slow(sum(1 for _ in rows))])
    print(joined.collect())


def slow(spark):
    spark.sparkContext.parallelize(range(4), 4).map(lambda number: (time.sleep(60), number)).collect()


def together(spark):
    """Its tasks need each other: one that is lost fails the stage."""
    numbers = spark.sparkContext.parallelize(range(2), 2).barrier()
    numbers.mapPartitions(lambda part: (time.sleep(60), *part)).collect()


def shuffled(spark):
    """Writes its shuffle files, and gives time to lose them before it reads them."""
    pairs = spark.sparkContext.parallelize(range(2000), 2).map(lambda number: (number % 50, number))
    grouped = pairs.groupByKey(2)
    print(grouped.count())
    Path(FOLDER, "written").touch()
    while not Path(FOLDER, "lost").exists():
        time.sleep(0.1)
    print(grouped.mapValues(sum).collect()[:3])


def permission(spark):
    print(spark.read.text(f"file://{FOLDER}/secret/salaries.csv").count())


def permission_write(spark):
    spark.range(10).write.csv(f"file://{FOLDER}/closed/out")


def module(spark):
    def scored(number):
        import fraud_features

        return fraud_features.score(number)

    print(spark.range(10).select(F.udf(scored, LongType())("id")).collect())


def data_source(spark):
    print(spark.read.format("delta").load(f"file://{FOLDER}/orders").count())


def java_class(spark):
    print(spark.sparkContext._jvm.com.example.billing.Rates.load())


def broadcast(spark):
    def late(number):
        time.sleep(0.02)
        return number

    small = spark.range(0, 200, 1, 1).select(F.udf(late, LongType())("id").alias("key"))
    big = spark.range(1000).select(F.col("id").alias("key"), F.lit(1).alias("one"))
    print(big.join(F.broadcast(small), "key").count())


def heartbeat(spark):
    """Its executor falls silent: SIGSTOP comes from outside."""
    slow(spark)


def dies(spark):
    """The driver goes at once: nothing is flushed, nothing is closed."""
    spark.range(10).count()
    os.kill(int(spark.sparkContext._jvm.ProcessHandle.current().pid()), 9)
    time.sleep(5)


globals()[NAME](session())
