import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.co.KeyedCoProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * The job in Flink, in one process: FlinkJob NAME BROKERS STATE_DIRECTORY PARALLELISM [SETTING=VALUE]..., any setting of Flink.
 * Reads NAME-logs and NAME-outcomes, writes NAME.predictions; goes on from the newest checkpoint in the directory.
 */
public class FlinkJob {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Partition, offset, value. */
  private static final class Input implements KafkaRecordDeserializationSchema<Tuple3<Integer, Long, byte[]>> {
    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Tuple3<Integer, Long, byte[]>> out) {
      out.collect(Tuple3.of(record.partition(), record.offset(), record.value()));
    }

    @Override
    public TypeInformation<Tuple3<Integer, Long, byte[]>> getProducedType() {
      return TypeInformation.of(new TypeHint<Tuple3<Integer, Long, byte[]>>() {});
    }
  }

  /** Keyed by the partition: its model, and the features of records whose outcome has not come yet. */
  private static final class Step
      extends KeyedCoProcessFunction<Integer, Tuple3<Integer, Long, byte[]>, Tuple3<Integer, Long, byte[]>, Tuple2<Integer, byte[]>> {
    private transient ValueState<Model> models;
    private transient MapState<Long, double[]> features;

    @Override
    public void open(OpenContext context) {
      models = getRuntimeContext().getState(new ValueStateDescriptor<>("model", Model.class));
      features = getRuntimeContext().getMapState(new MapStateDescriptor<>("features", Long.class, double[].class));
    }

    private Model model() throws IOException {
      Model found = models.value();
      return found == null ? new Model() : found;
    }

    @Override
    public void processElement1(Tuple3<Integer, Long, byte[]> record, Context context, Collector<Tuple2<Integer, byte[]>> out)
        throws Exception {
      JsonNode log = JSON.readTree(record.f2);
      Model model = model();
      double[] x = model.take(log);
      models.update(model);
      features.put(log.get("id").longValue(), x);
      ObjectNode prediction = JSON.createObjectNode();
      prediction.put("id", log.get("id").longValue()).put("score", model.score(x)).put("partition", record.f0).put("offset", record.f1);
      prediction.put("n", model.records).put("steps", model.steps);
      out.collect(Tuple2.of(record.f0, JSON.writeValueAsBytes(prediction)));
    }

    @Override
    public void processElement2(Tuple3<Integer, Long, byte[]> record, Context context, Collector<Tuple2<Integer, byte[]>> out)
        throws Exception {
      JsonNode outcome = JSON.readTree(record.f2);
      long id = outcome.get("id").longValue();
      double[] x = features.get(id);
      if (x == null) return;
      features.remove(id);
      Model model = model();
      model.learn(x, outcome.get("label").doubleValue());
      models.update(model);
    }
  }

  private static KafkaSource<Tuple3<Integer, Long, byte[]>> source(String brokers, String name, String topic) {
    return KafkaSource.<Tuple3<Integer, Long, byte[]>>builder().setBootstrapServers(brokers).setTopics(name + "-" + topic).setGroupId(name)
        .setStartingOffsets(OffsetsInitializer.earliest()).setDeserializer(new Input()).build();
  }

  private static Path newestCheckpoint(Path directory) throws IOException {
    try (Stream<Path> all = Files.walk(directory)) {
      return all.filter(path -> path.endsWith("_metadata")).max(Comparator.comparingLong(path -> path.toFile().lastModified()))
          .map(Path::getParent).orElse(null);
    }
  }

  public static void main(String[] args) throws Exception {
    String name = args[0];
    String brokers = args[1];
    Path state = Files.createDirectories(Path.of(args[2]).toAbsolutePath());
    Configuration settings = new Configuration();
    settings.setString("execution.checkpointing.dir", "file://" + state);
    settings.setString("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION");
    settings.setString("restart-strategy.type", "none");
    for (int i = 4; i < args.length; i++) {
      int at = args[i].indexOf('=');
      settings.setString(args[i].substring(0, at), args[i].substring(at + 1));
    }
    Path checkpoint = newestCheckpoint(state);  // A cluster in one process has no service that would know.
    if (checkpoint != null) settings.setString("execution.state-recovery.path", "file://" + checkpoint);
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment(settings);
    environment.setParallelism(Integer.parseInt(args[3]));
    DataStream<Tuple3<Integer, Long, byte[]>> logs =
        environment.fromSource(source(brokers, name, "logs"), WatermarkStrategy.noWatermarks(), "logs");
    DataStream<Tuple3<Integer, Long, byte[]>> outcomes =
        environment.fromSource(source(brokers, name, "outcomes"), WatermarkStrategy.noWatermarks(), "outcomes");
    KafkaRecordSerializationSchema<Tuple2<Integer, byte[]>> record =
        (prediction, context, time) -> new ProducerRecord<>(name + ".predictions", prediction.f0, null, prediction.f1);
    KafkaSink<Tuple2<Integer, byte[]>> predictions =
        KafkaSink.<Tuple2<Integer, byte[]>>builder().setBootstrapServers(brokers).setRecordSerializer(record)
            .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE).setTransactionalIdPrefix(name).setProperty("transaction.timeout.ms", "600000").build();
    logs.connect(outcomes).keyBy(log -> log.f0, outcome -> outcome.f0).process(new Step()).sinkTo(predictions);
    environment.execute(name);
  }
}
