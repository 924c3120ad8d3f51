using System.Reflection;

namespace TrainingSupervisor.Samples.Tests;

/// <summary>What the build has made, and where.</summary>
internal static class Built
{
    public static string AgentDirectory => Metadata("AgentDirectory");
    public static string RepositoryRoot => Metadata("RepositoryRoot");
    public static string LocalTraining => Program("LocalTraining", "LocalTraining");
    public static string Trainer => Program("LocalTraining.Trainer", "trainer");
    public static string GettingStarted => Program("GettingStarted", "GettingStarted");
    public static string JobLauncher => Program("JobLauncher", "JobLauncher");

    private static string Program(string project, string file) => Metadata("Programs").Replace("{project}", project, StringComparison.Ordinal) + file;

    private static string Metadata(string key) =>
        typeof(Built).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == key).Value!;
}
