namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>A test that needs what only the embedded cluster can do. Skipped on a real one, and says so.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class EmbeddedFactAttribute : FactAttribute
{
    public EmbeddedFactAttribute(string needs)
    {
        if (RealTestCluster.IsChosen) Skip = $"Only on the embedded cluster: {needs}.";
    }
}

/// <inheritdoc cref="EmbeddedFactAttribute"/>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class EmbeddedTheoryAttribute : TheoryAttribute
{
    public EmbeddedTheoryAttribute(string needs)
    {
        if (RealTestCluster.IsChosen) Skip = $"Only on the embedded cluster: {needs}.";
    }
}
