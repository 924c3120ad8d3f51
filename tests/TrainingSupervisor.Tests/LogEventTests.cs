using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;

namespace TrainingSupervisor.Tests;

/// <summary>Event ids are a promise to whoever filters by them: each is in docs/telemetry.md, once, with its level.</summary>
public sealed class LogEventTests
{
    [Fact]
    public void Telemetry_Table_HasEveryEventIdWithItsLevel()
    {
        Assembly[] rooms = [typeof(ITrainingSupervisor).Assembly, typeof(KubernetesOptions).Assembly, typeof(GatewayOptions).Assembly];
        var written = rooms.SelectMany(a => a.GetTypes()).SelectMany(t => t.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            .Select(m => m.GetCustomAttribute<LoggerMessageAttribute>()).OfType<LoggerMessageAttribute>()
            .Select(m => $"{m.EventId.ToString(CultureInfo.InvariantCulture)} {m.Level}").Order(StringComparer.Ordinal).ToList();
        var documented = File.ReadLines(Path.Combine(Path.GetDirectoryName(Here())!, "../../docs/telemetry.md"))
            .Select(l => l.Split('|', StringSplitOptions.TrimEntries)).Where(c => c.Length > 3 && int.TryParse(c[1], out _))
            .Select(c => $"{c[1]} {c[2]}").Order(StringComparer.Ordinal);

        Assert.NotEmpty(written);
        Assert.Equal(written, documented);
    }

    private static string Here([CallerFilePath] string path = "") => path;
}
