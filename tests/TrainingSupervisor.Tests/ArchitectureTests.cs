using System.Reflection;

namespace TrainingSupervisor.Tests;

/// <summary>Which room may know which. The compiler's own references are the evidence.</summary>
public sealed class ArchitectureTests
{
    private static string[] References(Type of) => [.. of.Assembly.GetReferencedAssemblies().Select(a => a.Name!)];

    [Fact]
    public void Core_References_NoKubernetesAndNoAspNet() =>
        Assert.DoesNotContain(References(typeof(Gang)), n =>
            n.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal) || n.StartsWith("KubernetesClient", StringComparison.Ordinal)
            || n.StartsWith("Grpc", StringComparison.Ordinal) || n.StartsWith("TrainingSupervisor", StringComparison.Ordinal));

    [Fact]
    public void Kubernetes_References_OnlyCoreOfOurs() =>
        Assert.Equal(["TrainingSupervisor.Core"], References(typeof(KubernetesOptions)).Where(n => n.StartsWith("TrainingSupervisor", StringComparison.Ordinal)));

    [Fact]
    public void Gateway_References_OnlyCoreOfOursAndNoKubernetes()
    {
        var references = References(typeof(GatewayOptions));
        Assert.Equal(["TrainingSupervisor.Core"], references.Where(n => n.StartsWith("TrainingSupervisor", StringComparison.Ordinal)));
        Assert.DoesNotContain(references, n => n.StartsWith("KubernetesClient", StringComparison.Ordinal));
    }

    [Fact]
    public void Core_Code_ReadsNoWallClock()
    {
        var banned = new[] { "get_UtcNow", "get_Today" };
        var core = typeof(Gang).Assembly;
        Assert.DoesNotContain(core.GetTypes().SelectMany(t => t.GetFields(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public)), f => f.FieldType == typeof(Random));
        var strings = System.Text.Encoding.UTF8.GetString(File.ReadAllBytes(core.Location));
        // DateTimeOffset.UtcNow would be a member reference by this name in the metadata; TimeProvider's is GetUtcNow.
        Assert.DoesNotContain(banned, strings.Contains);
    }
}
