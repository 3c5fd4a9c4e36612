SELECT somebody_adds() = 'refused';
