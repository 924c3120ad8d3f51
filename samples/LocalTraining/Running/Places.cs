using System.Reflection;

namespace LocalTraining.Running;

/// <summary>Where the build has put what this sample runs.</summary>
internal static class Places
{
    public static string AgentDirectory => Metadata("AgentDirectory");
    public static string Trainer => Metadata("Trainer");

    /// <summary>What the model is trained on: this repository's own words.</summary>
    public static IReadOnlyList<string> Text()
    {
        var root = Metadata("RepositoryRoot");
        return [.. Directory.EnumerateFiles(root, "README.md").Concat(Directory.EnumerateFiles(Path.Combine(root, "docs"), "*.md")).Order(StringComparer.Ordinal)];
    }

    private static string Metadata(string key) =>
        Assembly.GetExecutingAssembly().GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == key).Value!;
}
