using System.Collections.Immutable;
using System.IO.Compression;
using System.Text;
using k8s.Models;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Kubernetes;

/// <summary>The gang record in its ConfigMap: as text that people can read, and compressed where it would grow too large for that.</summary>
internal static class RecordData
{
    public const string TextKey = "record";
    public const string PackedKey = "record.gz";

    /// <summary>From this many bytes on it is compressed.</summary>
    public const int PackFrom = 128 * 1024;

    // Of recoveries before the last one, this many steps are kept: twenty times every worker would be tens of megabytes.
    private const int OlderSteps = 2000;

    // The API server's limit for the values of a ConfigMap is 1 MiB.
    private const int Largest = (1024 * 1024) - 1024;

    /// <exception cref="RejectedException">Even compressed it does not fit.</exception>
    public static void Write(V1ConfigMap map, GangRecord record)
    {
        record = record with { History = Trim(record.History) };
        var text = Encoding.UTF8.GetBytes(RecordJson.Write(record));
        (map.Data, map.BinaryData) = (null, null);
        if (text.Length < PackFrom)
        {
            map.Data = new Dictionary<string, string> { [TextKey] = Encoding.UTF8.GetString(text) };
            return;
        }

        var packed = Pack(text);
        // What was is worth less than what is.
        if (packed.Length > Largest && !record.History.IsEmpty) packed = Pack(Encoding.UTF8.GetBytes(RecordJson.Write(record with { History = [] })));
        if (packed.Length > Largest)
        {
            throw new RejectedException(
                $"The gang record {map.Metadata?.Name} takes {packed.Length:N0} bytes compressed, and a ConfigMap holds {Largest:N0}: the gang is too large. Split it, or give its roles and Pods shorter names.");
        }

        map.BinaryData = new Dictionary<string, byte[]> { [PackedKey] = packed };
    }

    /// <exception cref="SupervisorException">It cannot be read.</exception>
    public static GangRecord Read(V1ConfigMap map) => RecordJson.Read(Text(map), map.Metadata.Name);

    public static bool Same(V1ConfigMap a, V1ConfigMap b) => Text(a) == Text(b);

    private static string Text(V1ConfigMap map)
    {
        if (map.BinaryData?.TryGetValue(PackedKey, out var packed) == true) return Unpack(packed, map.Metadata.Name);
        return map.Data?.TryGetValue(TextKey, out var text) == true ? text : "{}";
    }

    private static ImmutableArray<RecoveryPlan> Trim(ImmutableArray<RecoveryPlan> history)
    {
        var trimmed = history;
        var left = OlderSteps;
        for (var i = history.Length - 2; i >= 0; i--)
        {
            left -= history[i].Steps.Length;
            if (left < 0) trimmed = trimmed.SetItem(i, history[i] with { Steps = [] });
        }

        return trimmed;
    }

    private static byte[] Pack(byte[] text)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal)) gzip.Write(text);
        return packed.ToArray();
    }

    private static string Unpack(byte[] packed, string name)
    {
        try
        {
            using var gzip = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress);
            using var reader = new StreamReader(gzip, Encoding.UTF8);
            return reader.ReadToEnd();
        }
        catch (InvalidDataException e)
        {
            throw new SupervisorException($"The gang record in ConfigMap {name} cannot be read: {e.Message} Restore it, or delete the ConfigMap to end the gang.", e);
        }
    }
}
