import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.StreamPartitioner;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The job in Kafka Streams: KafkaStreamsJob NAME [SETTING=VALUE]..., any setting of Kafka Streams. Reads NAME-logs and
 * NAME-outcomes, writes NAME.predictions.
 */
public class KafkaStreamsJob {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String MODEL = "model";        // One entry.
  private static final String FEATURES = "features";  // By id, until its outcome comes.
  private static final String KEY = "m";

  private static JsonNode parse(byte[] value) {
    try {
      return JSON.readTree(value);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static final class Logs implements Processor<String, byte[], String, byte[]> {
    private ProcessorContext<String, byte[]> context;
    private KeyValueStore<String, byte[]> models;
    private KeyValueStore<String, byte[]> features;

    @Override
    public void init(ProcessorContext<String, byte[]> given) {
      context = given;
      models = given.getStateStore(MODEL);
      features = given.getStateStore(FEATURES);
    }

    @Override
    public void process(Record<String, byte[]> record) {
      JsonNode log = parse(record.value());
      Model model = Model.of(models.get(KEY));
      double[] x = model.take(log);
      models.put(KEY, model.bytes());
      features.put(log.get("id").asText(), Model.bytesOf(x));
      ObjectNode out = JSON.createObjectNode();
      out.put("id", log.get("id").longValue()).put("score", model.score(x)).put("partition", context.recordMetadata().get().partition());
      out.put("offset", context.recordMetadata().get().offset()).put("n", model.records).put("steps", model.steps);
      try {
        context.forward(record.withValue(JSON.writeValueAsBytes(out)));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private static final class Outcomes implements Processor<String, byte[], String, byte[]> {
    private KeyValueStore<String, byte[]> models;
    private KeyValueStore<String, byte[]> features;

    @Override
    public void init(ProcessorContext<String, byte[]> context) {
      models = context.getStateStore(MODEL);
      features = context.getStateStore(FEATURES);
    }

    @Override
    public void process(Record<String, byte[]> record) {
      JsonNode outcome = parse(record.value());
      byte[] x = features.delete(outcome.get("id").asText());
      if (x == null) return;
      Model model = Model.of(models.get(KEY));
      model.learn(Model.inputsOf(x), outcome.get("label").doubleValue());
      models.put(KEY, model.bytes());
    }
  }

  public static void main(String[] args) {
    String name = args[0];
    Properties settings = new Properties();
    settings.put("application.id", name);
    settings.put("auto.offset.reset", "earliest");
    settings.put("processing.guarantee", "exactly_once_v2");
    for (int i = 1; i < args.length; i++) {
      int at = args[i].indexOf('=');
      settings.put(args[i].substring(0, at), args[i].substring(at + 1));
    }
    Topology topology = new Topology();
    topology.addSource("read logs", new StringDeserializer(), new ByteArrayDeserializer(), name + "-logs");
    topology.addSource("read outcomes", new StringDeserializer(), new ByteArrayDeserializer(), name + "-outcomes");
    topology.addProcessor("logs", Logs::new, "read logs");
    topology.addProcessor("outcomes", Outcomes::new, "read outcomes");
    for (String store : new String[] {MODEL, FEATURES}) {
      topology.addStateStore(
          Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(store), Serdes.String(), Serdes.ByteArray()).withCachingEnabled(),
          "logs", "outcomes");
    }
    StreamPartitioner<String, byte[]> asItsLog = (topic, key, value, partitions) -> Optional.of(Set.of((int) (Long.parseLong(key) % partitions)));
    topology.addSink("predictions", name + ".predictions", new StringSerializer(), new ByteArraySerializer(), asItsLog, "logs");
    KafkaStreams streams = new KafkaStreams(topology, settings);
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
  }
}
